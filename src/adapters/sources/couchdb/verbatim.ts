import type { Stub } from './leaves.ts';

/** TC39, JSON.parse source text access: numbers stay as they are written, those too that JavaScript has not. */
interface RawJson {
  rawJSON(text: string): unknown;
  isRawJSON(value: unknown): boolean;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
}
const { rawJSON, isRawJSON, parse } = JSON as unknown as RawJson;

const parsed = (text: Buffer): Record<string, unknown> =>
  parse(text.toString('utf8'), (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && source !== String(value) ? rawJSON(source) : value,
  ) as Record<string, unknown>;

/** A document without its `_rev`. */
export function withoutRevision(text: Buffer): string {
  const { _rev: _, ...document } = parsed(text);
  return JSON.stringify(document);
}

/** A document whose attachments are said to follow it, in the order of their names. A digest is that of bytes which the
 *  server packed, where it did, and then none of those that follow. */
export function withAttachmentsToFollow(text: Buffer, stubs: Readonly<Record<string, Stub>>): string {
  const document = parsed(text);
  const given = document._attachments as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  const follow = Object.entries(given).map(
    ([name, { stub: _, encoding: __, encoded_length: ___, digest, ...rest }]) => {
      const packed = stubs[name]?.encoding !== undefined;
      return [name, { ...rest, ...(packed ? {} : { digest }), follows: true }] as const;
    },
  );
  return JSON.stringify({ ...document, _attachments: Object.fromEntries(follow) });
}

/** What is the same of a document wherever it is kept: its content, numbers as they are written, and names, types and
 *  lengths of attachments. Not how much of its history is remembered, nor how attachments are packed. */
export function contentOf(text: Buffer): string {
  const { _revisions: _, _attachments: stubs = {}, ...content } = parsed(text);
  const attachments = Object.entries(stubs as Readonly<Record<string, Stub & { readonly content_type?: string }>>)
    .map(([name, { content_type, length }]) => [name, content_type, length] as const)
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([sorted(content), attachments]);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null || isRawJSON(value)) return value;
  const entries = Object.entries(value).map(([name, held]): [string, unknown] => [name, sorted(held)]);
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
