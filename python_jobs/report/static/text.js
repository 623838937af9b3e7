// The page: decodes the marts' columns, filters them by key, divides sums, and draws.
// Ratios are sums over sums, as everywhere; null is "not known" and never 0.
// Whatever comes from the data is set as text, never as HTML.

const FLAGS = {
  gap: 1,
  soldOut: 2,
  promo: 4,
  fallback: 8,
  retrained: 16,
  scored: 32,
  comparable: 64,
  interval: 128,
  covered: 256,
  promoKnown: 512,
};
const DAY = 86400000;
const UNKNOWN = "not known";
const SHOWN = 12; // rows of a table before it is asked for all
const TICKS = 6; // labels of periods below a chart, at most
const ERRORS_ONLY = 1; // a log level of Vega
const CUT = 2; // a bar of one period's ratio ends here

const $ = (id) => document.getElementById(id);
const isKnown = (value) => value !== null && value !== undefined && Number.isFinite(value);
const ratio = (part, whole) => (isKnown(part) && whole > 0 ? part / whole : null);

const percent = (value, digits = 1) =>
  isKnown(value) ? `${(100 * value).toFixed(digits)} %` : UNKNOWN;
const signed = (value, digits = 1) =>
  isKnown(value)
    ? `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(100 * value).toFixed(digits)} %`
    : UNKNOWN;
const count = (value) => (isKnown(value) ? value.toLocaleString("en-GB") : UNKNOWN);
const units = (value) => {
  if (!isKnown(value)) return UNKNOWN;
  const digits = Math.abs(value) >= 100 || Number.isInteger(value)
    ? 0
    : Math.abs(value) >= 1
    ? 1
    : 3;
  return value.toLocaleString("en-GB", { maximumFractionDigits: digits }).replace("-", "−");
};
const day = (time) =>
  isKnown(time)
    ? new Date(time).toLocaleDateString("en-GB", {
      day: "numeric",
      month: "short",
      year: "numeric",
      timeZone: "UTC",
    })
    : UNKNOWN;
const dayOf = (
  text,
) => (text ? day(Date.parse(text.length > 10 ? text : `${text}T00:00:00Z`)) : UNKNOWN);
const capital = (word) => word[0].toUpperCase() + word.slice(1);
const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
