"""A whole mesh on one machine: keys, certificates, configuration, processes. Also what the integration tests start with."""
