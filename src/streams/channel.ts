import type { Bytes } from '../ports/bytes.ts';

/** Bytes that one part pushes and another reads. What is pushed and not yet read is kept: for little data only. */
export interface Channel {
  readonly bytes: Bytes;
  push(chunk: Uint8Array): void;
  /** No more chunks; with an error the reader gets it instead of an end. */
  close(error?: unknown): void;
}

export function channel(): Channel {
  const chunks: Uint8Array[] = [];
  let end: { readonly error: unknown } | null = null;
  let wake = Promise.withResolvers<void>();
  async function* read(): Bytes {
    for (;;) {
      if (end !== null && end.error !== undefined) throw end.error;
      const chunk = chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (end !== null) return;
      else {
        await wake.promise;
        wake = Promise.withResolvers();
      }
    }
  }
  return {
    bytes: read(),
    push(chunk) {
      chunks.push(chunk);
      wake.resolve();
    },
    close(error) {
      end ??= { error };
      wake.resolve();
    },
  };
}
