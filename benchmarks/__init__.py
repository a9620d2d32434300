"""Speed and memory of bplf_tf beside its peers; never part of the test run. See README.md."""
