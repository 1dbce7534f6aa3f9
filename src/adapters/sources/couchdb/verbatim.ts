import type { Stub } from './leaves.ts';

/** TC39, JSON.parse source text access: numbers stay as they are written, those too that JavaScript has not. */
interface RawJson {
  rawJSON(text: string): unknown;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
}
const { rawJSON, parse } = JSON as unknown as RawJson;

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
