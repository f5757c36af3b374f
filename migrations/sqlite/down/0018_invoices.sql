-- Undoes 0018_invoices.sql: invoices and prices are gone.
DROP INDEX tenants_invoiced;
ALTER TABLE tenants DROP COLUMN invoiced_through;
DROP TABLE invoice_numbers;
DROP TABLE invoice_lines;
DROP TABLE invoices;
DROP TABLE prices;
