"""Decides whether a recurrent model can be run from saved states, and rewrites its graph so that it is.

Run from states, a model reads only the events after a state that was kept, which is what makes explaining long
sequences cheap. It is exact only if nothing but the recurrent nodes carries information from event to event.

    step                                                       module
    1  run the graph at a few lengths and keep every value     `observed_values`
    2  inline `If` branches that are always taken              `constant_branches`
    3  label each value with how it depends on time            `time_dependence`, `label_propagation`
       - operators that compute                                `op_rules`
       - operators that move, select or reshape                `layout_rules`
       - arithmetic on the number of events                    `shape_arithmetic`, `affine`
    4  make the states inputs and outputs of the graph         `rewrite`
    5  wrap the rewritten graphs as a `Recurrence`             `recurrence`
    6  compare with the whole graph on noise                   `self_check`

`conversion` runs these steps. A graph that fails one of them raises `NotStateful` and is run whole, which is always
correct.
"""

from __future__ import annotations


class NotStateful(Exception):
    """The graph cannot be run from states. The message says why in one short sentence and names the node."""
