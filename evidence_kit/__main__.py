"""``python -m evidence_kit``: the same program as ``evidence-kit``."""

from evidence_kit.cli.main import main

if __name__ == "__main__":
    main()
