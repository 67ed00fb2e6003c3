"""The subcommands of ``dspref`` that have a module of their own; each loads what it needs when it is run."""
