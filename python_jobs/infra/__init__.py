"""The base of all packages: settings, warehouse, dbt, lease, logs, the record of a run."""
