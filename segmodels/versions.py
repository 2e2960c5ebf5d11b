"""Numbers that travel into every result: raise one when its results may change.

DVC tracks these constants as parameters, so raising one makes exactly the stages that
depend on it stale, and evidence made by an older evaluator shows as `stale`.
Plain literals only: DVC reads this file without running it.
"""

SOFTWARE = "0.1.0"

#: The code between a decoded image and its confusion matrix (transforms, inference, counting).
EVALUATOR = 4

#: The training loop: sampling, augmentation, loss, optimiser.
TRAINER = 3

#: What `prepare` writes and what a fingerprint is computed from.
DATASETS = 2

#: How parameters and operations are counted (reports/efficiency.json).
COUNTER = 1
