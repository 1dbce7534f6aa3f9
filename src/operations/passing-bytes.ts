import type { Bytes } from '../ports/bytes.ts';

/** The bytes as they are. @param onPassed told how many bytes were taken by then, after each chunk */
export async function* passingBytes(bytes: Bytes, onPassed: (bytes: number) => void): Bytes {
  let passed = 0;
  for await (const chunk of bytes) {
    yield chunk;
    passed += chunk.length;
    onPassed(passed);
  }
}
