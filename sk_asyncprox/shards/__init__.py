"""Rows that lie elsewhere: shards, their shares of certificates, and dask collections that become shards."""
