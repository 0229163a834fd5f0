"""How to read each figure of a cohort, in sentences for people who have not seen such figures before."""

from __future__ import annotations

EVENTS = (
    "Each column is one place in the history: 0 is the latest event, −1 the one before it. Colour shows how many "
    "sequences have an event with this effect on the score: warm above 0 (raised it), cool below (lowered it), and "
    "stronger where there are more.",
    "The line is the mean. Events that were pruned have no effect of their own, so older columns stand on fewer "
    "sequences; the bars below the figure say how many.",
)
FEATURES = (
    "Each strip is one feature. Colour shows how many sequences have this effect: warm raised the score, cool lowered "
    "it. The mark is the mean. Features with the largest mean come first.",
    "A feature with a mean near 0 may still matter, up in some sequences and down in others: compare the mean size.",
)
LATEST_SHARE = (
    "How much of the score comes from the latest event alone. The first number divides the mean effect of the latest "
    "event by the mean difference between score and base value; the others are of each sequence's own ratio.",
)
CONSTANT = (
    "Features that add nothing to any score here. The model may not use them, or their value never changes, or it "
    "always equals that of the background.",
)
FIRST_POSITIVE = (
    "Where in each history the score was above the threshold of the run for the first time, counted from the end of "
    "the full history. That event is the latest one (t = 0) of the explanation.",
)
PRUNING = (
    "How much is left to explain at each pruning tolerance η, beside the numbers that the TimeSHAP paper found on its "
    "own data. The pruned events together count as one.",
    "RSD says how much effects change with another seed: the mean of σ/|μ| over effects of at least 0.01. It needs "
    "runs with several seeds and that tolerance, such as --seeds 10 --pruning-tolerance 0.025.",
)
FAIRNESS = (
    "The effect of one feature in each group, beside how often each group is flagged, and how often wrongly. "
    "Lines are 95 % intervals.",
    "A difference is a reason to look closer, not a verdict. Rates are those of this cohort: if its sequences were "
    "chosen by their score, the model's own rates are different.",
)
NO_OUTCOME = "Choose an outcome to see how often each group is flagged wrongly."
DRIFT = (
    "How the mean score and the mean effect of each feature changed between two periods. Lines are 95 % intervals; a "
    "filled mark is a change that chance does not explain (Welch's test, corrected for the number of features).",
    "A change beyond chance may still be too small to matter.",
)
SCORE_DRIFT = (
    "The population stability index compares the scores of both periods in ten bins. Half a sequence is added to each "
    "count before the shares are taken, since the index has no value for a share of 0. About 0.1 is often called a "
    "moderate change, and 0.25 a large one.",
)
QUALITY = (
    "How accurate the explanations are, and what they warn of. A standard error says how much one effect would change "
    "with another seed; it is 0 where everything was computed exactly.",
)
STATUSES = ("Which sequences were explained, and why the others were not.",)
EVENT_WEIGHTS = (
    "Some models weigh events themselves, for example by attention. The bars show the mean weight at each place of the "
    "history. The correlation says whether events with larger weights also have larger effects.",
    "A weight says how much of an event the model reads, not whether it raised or lowered the score.",
)
COMPARISON = (
    "The same sequences explained twice. Differences are taken within each sequence, so differences between sequences "
    "cancel.",
)
