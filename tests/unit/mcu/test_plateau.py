"""The ring split against a plain recount, and its viper form against the plain one where there is one."""

from array import array

from unit.protocol.wires import Random

from mcu.hal import plateau

try:
    from mcu.hal import plateau_viper

    FORMS = (plateau, plateau_viper)
except (ImportError, AttributeError, SyntaxError):
    FORMS = (plateau,)

MASK = 1023
ZERO_CODE = 2048
THRESHOLD = (15000 - 1700) * 4096 // 30000


def ring_of(codes_1, codes_2):
    """256 samples of each port, interleaved."""
    ring = bytearray(MASK + 1)
    for index in range(256):
        for port, codes in ((0, codes_1), (1, codes_2)):
            at = 4 * index + 2 * port
            ring[at] = codes[index] & 255
            ring[at + 1] = codes[index] >> 8
    return ring


def pilot(high_samples, high=3276, low=410, period=100, phase=0):
    """256 codes of a pilot whose rising edge is at `phase`."""
    return [high if (index - phase) % period < high_samples else low for index in range(256)]


def split(form, ring, end, samples=100):
    out = array("i", (0, 0, 0, 0, 0, 0))
    form.split(ring, end, MASK, samples, THRESHOLD, out)
    return list(out)


def test_five_percent_leaves_three_samples_of_plateau():
    ring = ring_of(pilot(5, phase=30), pilot(50))
    for form in FORMS:
        assert split(form, ring, 1024) == [3 * 3276, 91 * 410, 5, 95, 3, 91]


def test_the_other_port_is_not_touched():
    ring = ring_of(pilot(5), pilot(50, phase=10))
    for form in FORMS:
        found = split(form, ring, 1026)
        assert found[2:4] == [50, 50] or found[2] + found[3] == 100
        assert found[0] == 3276 * found[4] and found[1] == 410 * found[5]


def test_edge_samples_stay_out_of_the_average():
    codes = pilot(5, phase=40)
    for index in range(256):
        if (index - 40) % 100 == 0 or (index - 40) % 100 == 4:
            codes[index] = 2900  # caught on the edge
    for form in FORMS:
        found = split(form, ring_of(codes, codes), 1024)
        assert found[0] == 3 * 3276 and found[2] == 5


def test_steady_levels_have_one_side():
    for form in FORMS:
        assert split(form, ring_of([3700] * 256, [0] * 256), 1024)[2:] == [100, 0, 98, 0]
        assert split(form, ring_of([0] * 256, [410] * 256), 1026)[2:] == [0, 100, 0, 98]


def test_threshold_tells_a_short_from_the_lowest_missing_diode():
    short = ZERO_CODE  # 0 V
    no_diode_in_d = ZERO_CODE - 2400 * 4096 // 30000
    assert short > THRESHOLD > no_diode_in_d


def test_distance_of_rising_edges():
    for form in FORMS:
        for phase in range(0, 100, 7):
            ring = ring_of(pilot(5, phase=phase), pilot(50, period=98))
            assert form.rising_distance(ring, 1024, MASK, 220, THRESHOLD) == 100
            assert form.rising_distance(ring, 1026, MASK, 220, THRESHOLD) == 98
        steady = ring_of([3700] * 256, [410] * 256)
        assert form.rising_distance(steady, 1024, MASK, 220, THRESHOLD) == 0


def test_s5_viper_form_allocates_nothing():
    if len(FORMS) < 2:
        return
    from micropython import heap_lock, heap_unlock

    ring = ring_of(pilot(5, phase=30), pilot(50))
    out = array("i", (0, 0, 0, 0, 0, 0))
    heap_lock()
    try:
        plateau_viper.split(ring, 1024, MASK, 100, THRESHOLD, out)
        distance = plateau_viper.rising_distance(ring, 1024, MASK, 220, THRESHOLD)
    finally:
        heap_unlock()
    assert out[2] == 5 and distance == 100


def test_both_forms_agree_on_noise():
    if len(FORMS) < 2:
        return
    random = Random(5)
    for _ in range(50):
        ring = bytearray(MASK + 1)
        for index in range(0, MASK + 1, 2):
            code = random.below(4096)
            ring[index] = code & 255
            ring[index + 1] = code >> 8
        end = random.below(1 << 15) * 2
        assert split(FORMS[0], ring, end) == split(FORMS[1], ring, end)
        one = FORMS[0].rising_distance(ring, end, MASK, 220, THRESHOLD)
        assert one == FORMS[1].rising_distance(ring, end, MASK, 220, THRESHOLD)
