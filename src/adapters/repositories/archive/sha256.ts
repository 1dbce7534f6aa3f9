/** Lower-case hex. node:crypto takes 10 ms of a start, and a list of points that are known hashes nothing. */
export const sha256Of = (content: string | Uint8Array): string =>
  process.getBuiltinModule('node:crypto').hash('sha256', content, 'hex');
