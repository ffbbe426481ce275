"""``python -m persona`` is the same as ``persona``."""

from persona.cli import main

if __name__ == "__main__":
    main()
