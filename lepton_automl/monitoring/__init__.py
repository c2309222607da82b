"""Live models: what they are asked is logged, and watched for changes against a profile of their training data.

| file | what it does |
|---|---|
| `features.py` | the features that are watched: columns as they are, statistics of anything larger |
| `bins.py` | a feature's bins, from values to bins and back to words |
| `profile.py` | `Profile`: the training data's features, the answers and figures on held-out rows, as a JSON value |
| `rows.py` | `Rows` and `Feedback`: what arrives, as arrays |
| `evidence.py` | `Evidence`: what a watcher found, as a JSON value with a sentence |
| `bets.py` | likelihood ratios of bins under changes that are worth detecting |
| `detector.py` | sequential detection with a stated false-alarm rate, from such ratios |
| `watcher.py` | the protocol of a watcher, and watchers by name |
| `watchers/` | one file for each kind of change |
| `monitor.py` | `Monitor`: several watchers that share one stated false-alarm rate |
| `ids.py` | prediction ids that cannot be guessed and belong to one caller's key |
| `log/` | what was asked: a queue, a thread, files that survive a crash, Parquet segments, retention |
| `feedback.py` | true answers by prediction id: once, in time, within the schema |
| `joined.py` | true answers beside what was answered |
| `shares.py` | at most a stated share of the rows from any one key |

The parts above `log/` need NumPy only.
"""
