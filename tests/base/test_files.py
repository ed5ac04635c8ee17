"""Files are whole or not there, however many write them at once."""

from jovium.base.files import append_durably, atomic_write


def test_two_writers_with_one_process_id_do_not_share_their_temporary_file(tmp_path):
    """Process ids are equal on two machines that write into one folder, and in containers they often are."""
    path = tmp_path / "a.json"
    with atomic_write(path) as first:
        first.write_text("first")
        with atomic_write(path) as second:
            assert second != first
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_appended_after_half_a_line_begins_a_line(tmp_path):
    path = tmp_path / "lines"
    for left, kept in ((None, ""), ("", ""), ("one\n", "one\n"), ("one\ntw", "one\n"), ("on", "")):
        path.unlink(missing_ok=True)
        if left is not None:
            path.write_text(left)
        append_durably(path, "three µ\n")
        assert path.read_text(encoding="utf-8") == kept + "three µ\n"
