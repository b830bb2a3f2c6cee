"""Who waits, by address: what it answers is what a walk over all of them would."""

import random
from collections import Counter

from server.cobrowse.crowd import Crowd


def test_the_oldest_of_an_address_and_of_one_that_has_most() -> None:
    chance = random.Random(5)
    crowd, waiting = Crowd(), dict[str, str]()
    for number in range(3000):
        if waiting and chance.random() < 0.48:
            one = chance.choice([*waiting])
            crowd.discard(one, waiting.pop(one))
        else:
            one, address = f"v{number}", f"a{chance.randrange(6)}"
            waiting[one] = address
            crowd.add(one, address)
            crowd.add(one, address)
        crowd.discard("nobody", "a1")
        count = Counter(waiting.values())
        for address in "a0", "a5", "none":
            assert crowd.oldest(address) == next((id for id, of in waiting.items() if of == address), None)
        oldest = crowd.oldest()
        if not waiting:
            assert oldest is None
            continue
        assert oldest is not None
        assert count[waiting[oldest]] == max(count.values())
        assert oldest == crowd.oldest(waiting[oldest])
    for one, address in waiting.items():
        crowd.discard(one, address)
    assert (crowd._of, crowd._sized, crowd._fullest) == ({}, {}, 0)
