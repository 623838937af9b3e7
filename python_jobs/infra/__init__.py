"""What every room stands on: settings, warehouse, dbt, lease, logs, the record of a run."""
