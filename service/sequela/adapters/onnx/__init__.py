"""Loads models from ONNX files and runs them with onnxruntime.

The modules in the order in which a model is loaded (`loader` calls them):

    step                                                          modules
    1  read the file, refuse what must not be run                 `file`, `file_text`, `formats`, `graph_order`,
                                                                  `inlined_nodes`, `string_values`
    2  make outputs tensors of numbers, find class names          `output_values`, `class_labels`
    3  read inputs, outputs and their element types               `graph_signature`, `graph_outputs`, `element_types`
    4  make recurrent nodes run on onnxruntime                    `batch_first`
    5  see how the graph uses its inputs                          `input_uses`
    6  find the schema and the output to explain                  package `model_io`
    7  refuse models whose score is random                        `randomness`
    8  put inputs into the server's order of axes                 `input_order`
    9  open a session with limits of time and memory              `session`, `run_guard`, `memory_arena`,
                                                               `provider`, `runtime_errors`
   10  try the model: lengths, rows, masks                        `load_trial`, `probe`, `row_independence`,
                                                                  `mask_trial`, `padding_inputs`
   11  complete the schema                                        `output_bounds`, package `model_io`
   12  convert it to run from states, if that is exact            package `stateful`
   13  the loaded model                                           `model`, `execution_text`, `work`

`recurrent_nodes`, `subgraphs` and `value_names` know ONNX's graphs and are used by several steps.
"""
