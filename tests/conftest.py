"""What every test gets: Hypothesis without deadlines, and the same examples in every run unless asked otherwise.

``HYPOTHESIS_PROFILE=search`` looks for new examples; ``campaign`` runs ten times as many.
"""

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow]
settings.register_profile("default", deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("search", deadline=None, suppress_health_check=_SLOW)
settings.register_profile("campaign", deadline=None, max_examples=1000, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
