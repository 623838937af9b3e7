# What no predefined role says: append to the logs, and neither drop a table nor change its columns. Rows
# can still be deleted by DML, because BigQuery has one permission for every change of rows: snapshots.tf.

resource "google_project_iam_custom_role" "log_appender" {
  project     = var.project
  role_id     = "${replace(var.name, "-", "_")}_log_appender"
  title       = "Shelfcast log appender (${var.name})"
  description = "Creates, reads and appends to tables; drops and alters none."

  permissions = [
    "bigquery.datasets.get",
    "bigquery.tables.create",
    "bigquery.tables.get",
    "bigquery.tables.getData",
    "bigquery.tables.list",
    "bigquery.tables.updateData",
  ]

  depends_on = [google_project_service.api]
}

locals {
  # Spelled out, so that a plan can show it before the role exists.
  log_appender = "projects/${var.project}/roles/${replace(var.name, "-", "_")}_log_appender"
}
