"""The command line: arguments in, results and errors out. Nothing heavy is imported before a command runs."""
