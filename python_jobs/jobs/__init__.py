"""The jobs between the dbt stages: each reads, fits or predicts, checks and writes."""
