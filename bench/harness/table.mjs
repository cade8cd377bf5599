/**
 * @typedef {import('./rounds.mjs').RowFigures} RowFigures
 * @typedef {import('./statistics.mjs').Summary} Summary
 */

const HEAD = ['', 'unit', 'raw BullMQ', 'nestjs-celery', 'us/raw', 'target'];

/**
 * The figures as a table that is also Markdown: medians, with the least and the greatest.
 * @param {readonly RowFigures[]} rows
 */
export function renderTable(rows) {
  const lines = rows.map((row) => [
    row.label,
    row.unit,
    spread(row.raw, row.unit),
    spread(row.ours, row.unit),
    spread(row.ratio, 'ratio'),
    targetText(row),
  ]);
  const widths = HEAD.map((title, column) =>
    Math.max(3, title.length, ...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  const render = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [render(HEAD), render(widths.map((width) => '-'.repeat(width))), ...lines.map(render)]
    .join('\n')
    .concat('\n');
}

/** @param {Summary} summary @param {string} unit */
function spread({ median, min, max }, unit) {
  const show = (/** @type {number} */ value) => number(value, unit);
  return `${show(median)} (${show(min)}..${show(max)})`;
}

/** @param {number} value @param {string} unit */
function number(value, unit) {
  switch (unit) {
    case 'tasks/s':
      return String(Math.round(value));
    case 'MiB':
      return value.toFixed(1);
    default:
      return value.toFixed(2);
  }
}

/** @param {RowFigures} row */
function targetText({ target, met }) {
  if (target === undefined) {
    return '';
  }
  const bound =
    target.metric === 'ratio' ? `us/raw >= ${target.atLeast}` : `ours <= ${target.atMost}`;
  return `${bound}: ${met ? 'met' : 'missed'}`;
}
