"""Inputs and outputs of a model, wherever it runs: signature, schema, input tensors, scores.

Both ONNX files and endpoints use these modules. In the order in which a model is loaded:

    step                                                         modules
    1  what the model declares                                   `signature`, `input_use`
    2  read the schema that somebody wrote                       `schema_json`
    3  infer or complete the inputs, with the features           `schema_draft`
       - the role of each input                                  `input_roles`, `states`, `static_sequences`
       - the order of an input's axes                            `event_axes`, `axis_names`
       - inputs that no caller can send                          `unsupported_inputs`
    4  check the schema against the signature                    `schema_check`, `fixed_sizes`
    5  choose the output to explain                              `output_choice`
    6  read the output's shape, complete the schema              `outputs`, `schema_draft`
    7  read the default background                               `default_background`
    8  say what was assumed                                      `assumptions`

When the model runs, `feeds` and `arrangement` make its inputs and `scores` reads its output. `schema_entries` writes
schema entries into messages, ready to be pasted.
"""
