/** A stream of bytes. Iterating it to the end is the only way to know that it is whole: whoever produces it throws
 *  at the end when it is not (a producer that failed, a hash that differs). Leaving the loop early releases it.
 *  A chunk belongs to the reader until it asks for the next one and is never changed afterwards. */
export type Bytes = AsyncIterable<Uint8Array>;
