"""The command line: parse, call one function, print. Engines are imported inside the commands that need them."""
