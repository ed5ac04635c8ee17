"""The variational free energy of two hydrogen atoms, protons and electrons, from beginning to end.

    F = E_{R ~ p} [ kT ln p(R) + E_{r ~ |psi(r; R)|^2} E_loc(r; R) ]

p(R), a normalizing flow, is the density of the protons; psi(r; R), a neural wave function, that of the electrons. F is
an upper bound of the free energy: both lower one number. Two atoms at rs 1.25 bohr and 6000 K are a test case, whose
exact F is -1.4040(4) Ha per atom. Run: python examples/two_atoms.py [steps]"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import jovium as jv

WALKERS, ELECTRON_WALKERS, MOVES = 128, 4, 40  # configurations of protons, electrons among each, moves of these

system = jv.FreeEnergySystem(jv.FreeEnergySettings(n_atoms=2, rs=1.25, kelvin=6000.0, twists=1, features=16))
kT, potential = system.state.temperature, jv.CoulombPotential.of(system.box, 4)
optimiser = optax.adam(3e-3)


def local_energy(psi, r, R):
    """E_loc = H psi / psi: kinetic energy, and the Ewald sums of protons and electrons (hartree)."""
    return jv.kinetic_energy(lambda r: psi.log_psi(r, R), r) + sum(potential(r, R))


def sample_electrons(psi, R, key):
    """One configuration r ~ |psi(r; R)|^2 by Metropolis moves, begun near the protons."""

    def move(r, key):
        step_key, accept_key = jax.random.split(key)
        proposed = r + 0.5 * jax.random.normal(step_key, r.shape)
        log_ratio = 2 * (psi.log_psi(proposed, R) - psi.log_psi(r, R))
        return jnp.where(jnp.log(jax.random.uniform(accept_key)) < log_ratio, proposed, r), None

    start_key, move_key = jax.random.split(key)
    start = R + 0.7 * jax.random.normal(start_key, R.shape)
    return jax.lax.scan(move, start, jax.random.split(move_key, MOVES))[0]


def surrogate(models, R, r, f, E):
    """Its gradient is that of F: covariances of scores with kT ln p + E(R), and with E_loc among electrons at one R."""
    flow, psi = models
    log_p = jax.vmap(flow.log_density)(R)
    log_psi = jax.vmap(lambda r, R: jax.vmap(lambda r: psi.log_psi(r, R))(r))(r, R)
    return jnp.mean((f - f.mean()) * log_p) + 2 * jnp.mean((E - E.mean(axis=1, keepdims=True)) * log_psi)


@eqx.filter_jit
def step(models, momentum, key):
    """Both models one step down F; kT ln p + E(R) of every configuration of protons."""
    flow, psi = models
    proton_key, electron_key = jax.random.split(key)
    R, log_p = jax.vmap(flow.sample)(jax.random.split(proton_key, WALKERS))  # R ~ p, with ln p(R)
    keys = jax.random.split(electron_key, (WALKERS, ELECTRON_WALKERS))
    r = jax.vmap(lambda R, keys: jax.vmap(lambda key: sample_electrons(psi, R, key))(keys))(R, keys)
    E = jax.vmap(lambda r, R: jax.vmap(lambda r: local_energy(psi, r, R))(r))(r, R)
    f = kT * log_p + E.mean(axis=1)
    gradient = eqx.filter_grad(surrogate)(models, R, r, f, jnp.clip(E, E.mean() - 3, E.mean() + 3))
    updates, momentum = optimiser.update(gradient, momentum)
    return eqx.apply_updates(models, updates), momentum, f


def main(steps=200):
    """Train, print F per atom with its error, and return the last one."""
    models = system.flow(), system.wave_function()
    momentum = optimiser.init(eqx.filter(models, eqx.is_inexact_array))
    for number in range(steps):
        models, momentum, f = step(models, momentum, jax.random.key(number))
        F = system.state.free_energy(jax.device_get(f).astype(float))  # adds the momenta of the nuclei and N!
        if number % 20 == 0 or number == steps - 1:
            print(f"step {number:4d}  F = {F} Ha per atom", flush=True)
    return F


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
