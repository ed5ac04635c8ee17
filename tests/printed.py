"""What a command prints."""

from jovium.cli.main import main


def output(capsys, *arguments):
    code = main([str(a) for a in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err
