import { createHash } from 'node:crypto';
import type { Facts } from '../../../domain/facts.ts';
import type { Document } from './leaves.ts';

/** What is counted of a database while its leaf revisions pass. */
export interface Tally {
  /** Revisions of one document follow one another. */
  take(document: Document): void;
  /** @param database the name that documents are counted under */
  facts(
    database: string,
  ): Required<Pick<Facts, 'documents' | 'deleted' | 'designDocuments' | 'revisions' | 'attachments'>>;
  /** Equal for the same revisions with attachments of the same names and lengths, in whatever order they came. */
  fingerprint(): string;
}

export function tallyOf(): Tally {
  let [documents, deleted, designDocuments, revisions, attachments] = [0, 0, 0, 0, 0];
  let sum = 0n;
  /** The document whose revisions are passing, and whether one of them was there. */
  let current: { readonly id: string; readonly lives: boolean } | null = null;
  function finish(): void {
    if (current === null) return;
    if (!current.lives) deleted += 1;
    else {
      documents += 1;
      if (current.id.startsWith('_design/')) designDocuments += 1;
    }
    current = null;
  }
  return {
    take({ _id, _rev, _deleted = false, _attachments = {} }) {
      if (current !== null && current.id !== _id) finish();
      current = { id: _id, lives: !_deleted || current?.lives === true };
      revisions += 1;
      const names = Object.entries(_attachments).map(([name, { length }]): [string, number] => [name, length]);
      attachments += names.length;
      const text = JSON.stringify([_id, _rev, _deleted, names.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
      sum = BigInt.asUintN(128, sum + BigInt(`0x${createHash('sha256').update(text).digest('hex').slice(0, 32)}`));
    },
    facts(database) {
      finish();
      return { documents: { [database]: documents }, deleted, designDocuments, revisions, attachments };
    },
    fingerprint: () => sum.toString(16),
  };
}
