"""How to read each section of a cohort's report."""

from __future__ import annotations

INTRODUCTION = (
    "An explanation is about the model, not about the world. It says what a score depends on, and does not say that "
    "an event or a feature caused what happened, or that a score is right.",
    "Each attribution is a share of f(X) − f(B): the score of the sequence less that of the "
    "background, a sequence that "
    "stands for “nothing known”. With another background, all numbers change.",
    "Two kinds of error occur here, and are kept apart. The spread over sequences says how much attributions differ "
    "from one sequence to another; intervals of means follow from it. The sampling error says how much one "
    "attribution would change with another seed; it is 0 where all coalitions were evaluated, and "
    "the spread includes it.",
)

EVENTS_TITLE = "Events"
EVENTS = (
    "TimeSHAP, Figure 3. Each column is an index of events: 0 is the event whose score is explained, "
    "−1 the one before. "
    "The darker a spot, the more sequences have this attribution there (a column of few "
    "sequences is fainter). Orange raises the "
    "score, purple lowers it, and grey is about 0. A circle is the mean.",
    "Pruned events have no value of their own: they share one. The bars below say in how many "
    "sequences there is a value "
    "of its own at the index. Where few are left, the mean is one over those sequences whose older events matter most.",
    "The share of the latest event is given in two ways. The ratio of means is mean φ₀ / mean (f(X) "
    "− f(B)). The mean of "
    "ratios weighs all sequences alike, and leaves out those with |f(X) − f(B)| below 0.01. The paper reports 41 % for "
    "its data, and does not say which of the two it is.",
)
EVENTS_ALT = (
    "Density of the attributions by index of the event, with means; the numbers are in the table below."
)

FEATURES_TITLE = "Features"
FEATURES = (
    "TimeSHAP, Figure 4. Each strip is a feature; darker spots have more sequences. Circles are means with their 95 % "
    "interval over sequences. Features with the largest |mean| come first. A feature whose mean is near 0 may still "
    "matter, up in some sequences and down in others: compare the mean of |attribution|.",
    "A feature that contributes nothing may be unused by the model, may never change in these data, or may equal the "
    "background. “zero” is 0 in every sequence, “within_error” never beyond two standard errors, and "
    "“by_chance” beyond "
    "them no more often than chance allows.",
)
FEATURES_ALT = "Density of the attributions by feature, with means; the numbers are in the table below."

FIRST_POSITIVE_TITLE = "First positive predictions"
FIRST_POSITIVE = (
    "Where in each sequence a score is above the threshold of the run for the first time, counted from the last "
    "event of the full sequence. This event is t = 0 in the other sections, and what follows it was not explained.",
)
FIRST_POSITIVE_ALT = (
    "Number of sequences by index of the first positive prediction; the table below has the numbers."
)

PRUNING_TITLE = "Pruning"
PRUNING = (
    "TimeSHAP, Table 1. How many events are left to explain at each tolerance η (the pruned ones "
    "count as one), how many "
    "sequences could be computed exactly, and how much attributions vary with the seed. The paper's numbers are of its "
    "own data, and say what is usual rather than what is right.",
    "The RSD is the mean of σ/|μ| over players with |μ| ≥ 0.01. It needs runs with several seeds and that tolerance "
    "(--seeds 10 --pruning-tolerance 0.025), and is 0 for exact explanations.",
    "A verdict says whether pruning hides something: EXCEEDS means that the pruned events together "
    "are worth more than η, "
    "OFFSETTING that some of them matter and cancel each other.",
)
PRUNING_ALT = (
    "Lengths, exactly computable share and RSD by tolerance, beside the paper's; the table has the numbers."
)

EVENT_WEIGHTS_TITLE = "The model's own weights"
EVENT_WEIGHTS = (
    "Some models weigh events themselves, for example by attention. The figure shows the mean weight at each index of "
    "events, with its 95 % interval over sequences, and below it how the weights go with the sizes of the "
    "attributions: 1 means that events with larger weights have larger attributions, 0 that neither says anything "
    "about the other.",
    "A weight says how much of an event the model reads, and not whether the event raises or lowers the score. "
    "Where the correlation is low, the weights do not explain the scores.",
)
EVENT_WEIGHTS_ALT = (
    "Mean weights by index of the event, and their correlation with the attributions; the numbers are in the table "
    "below."
)

GROUPS_TITLE = "Groups"
GROUPS = (
    "The attribution of a feature in each group, beside how often the raw score is at or above the "
    "threshold, and how often "
    "it is so for sequences whose outcome is negative. Intervals are 95 %: Student's for means, Wilson's for rates.",
    "A difference is a reason to look closer, not a verdict on fairness. Rates are those of the "
    "sequences in this cohort: "
    "if these were chosen by their score, the model's own rates are different.",
)
NO_OUTCOME = "No outcome was named, so that there are no false positive rates."
GROUPS_ALT = "Mean attribution and rates by group with intervals; the numbers are in the table below."

DRIFT_TITLE = "Drift"
DRIFT = (
    "How the mean score and the mean attribution of each feature changed between two periods, by Welch's test, which "
    "allows for different sizes and spreads. Its standard errors are over sequences. A filled mark is a change "
    "beyond chance after Holm's correction for the number of features. A change that is beyond chance may still be too "
    "small to matter.",
    "The population stability index compares the scores in ten bins. Half a sequence is added to each count before the "
    "shares are taken, since the index has no value for a share of 0. About 0.1 is often called a moderate change and "
    "0.25 a large one; what chance alone gives is stated beside it, and is large if there are few sequences.",
)
DRIFT_ALT = (
    "Changes of the mean score and of mean attributions with intervals; the numbers are in the table below."
)

COMPARISON_TITLE = "Comparison"
COMPARISON = (
    "The same sequences explained twice. Differences are taken within each sequence, so that "
    "differences between sequences cancel. The rank correlation says how far both order the features alike in a "
    "sequence: 1 means the same order, 0 none in common.",
)
COMPARISON_ALT = "Mean differences by feature with intervals; the numbers are in the table below."

QUALITY_TITLE = "Quality"
QUALITY = (
    "What was not explained and why, how accurate the explanations are, and what they warn of. "
    "Standard errors here are "
    "sampling errors of single explanations.",
)
