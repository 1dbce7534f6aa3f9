import { HoldfastError } from '../../../domain/errors.ts';
import type { Cell, Source } from '../../../ports/source.ts';
import type { Validator } from '../../../ports/validator.ts';
import { probeValidator } from '../probe/probe.ts';
import type { SqlSettings } from './config.ts';

/** Where sources are looked up. */
interface Sources {
  source(name: string): Promise<Pick<Source, 'kind' | 'capabilities' | 'query'>>;
}

/** A query of a source's live database whose first cell is true. What the database refuses is bad: a table that is gone
 *  is what such a check is for. @throws Unsupported for a kind that answers no query */
export async function sqlValidator(
  { sql: { source: name, query } }: SqlSettings,
  { source: find }: Sources,
): Promise<Validator> {
  const source = await find(name);
  if (!source.capabilities.sql)
    throw new HoldfastError('Unsupported', `A source of kind ${source.kind} answers no query yet: ${name}.`, name, {
      hint: 'Check it by other means: http, tcp or command',
    });
  const shown = query.replaceAll(/\s+/g, ' ').trim();
  return probeValidator(`sql ${name}: ${shown}`, async (signal) => {
    signal.throwIfAborted();
    try {
      const cell = await source.query(query, signal);
      return { good: isTrue(cell), detail: cell === null ? 'answers nothing' : `answers ${printed(cell)}` };
    } catch (error) {
      signal.throwIfAborted();
      const refused = error instanceof HoldfastError && ['QueryFailed', 'SourceMissing'].includes(error.code);
      if (refused) return { good: false, detail: error.message };
      throw error;
    }
  });
}

/** Zero, nothing, and how databases print false: SQLite 0, PostgreSQL f. */
export const isTrue = (cell: Cell): boolean => {
  if (typeof cell !== 'string') return cell !== null && Number(cell) !== 0 && !Number.isNaN(cell);
  const text = cell.trim().toLowerCase();
  return !['', 'f', 'false', 'n', 'no', 'off'].includes(text) && !(/^[+-]?[\d.]+$/.test(text) && Number(text) === 0);
};

const printed = (cell: Exclude<Cell, null>): string => {
  const line = String(cell).replaceAll(/\s+/g, ' ').trim();
  if (line === '') return 'an empty text';
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
};
