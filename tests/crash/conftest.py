import sys
from pathlib import Path

# The helpers beside these tests are imported as one package, whatever runs first.
sys.path.insert(0, str(Path(__file__).parents[1]))
