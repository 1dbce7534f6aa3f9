/** The two calls of node:fs/promises that it needs. */
export interface FolderCalls {
  mkdir(path: string, options: { readonly mode: number }): Promise<unknown>;
  stat(path: string): Promise<{ isDirectory(): boolean }>;
}

/** Makes a folder and those above it that are missing, one by one; what exists stays as it is. Not by Node's recursive
 *  `mkdir`: where a folder exists and the system answers ENOENT for a new name in it, as /proc and /sys do, that one
 *  never ends (Node 26.10, 2026-11-21).
 *  @param path absolute
 *  @returns what was made, the outermost first
 *  @throws what `mkdir` threw */
export async function makeFolders(path: string, mode: number, calls: FolderCalls): Promise<readonly string[]> {
  const above = path.slice(0, path.lastIndexOf('/'));
  try {
    return await makeOne(path, mode, calls);
  } catch (error) {
    if (above === '' || !(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  const made = await makeFolders(above, mode, calls);
  return [...made, ...(await makeOne(path, mode, calls))];
}

async function makeOne(path: string, mode: number, { mkdir, stat }: FolderCalls): Promise<readonly string[]> {
  try {
    await mkdir(path, { mode });
    return [path];
  } catch (error) {
    const found = await stat(path).catch(() => null);
    if (found?.isDirectory()) return [];
    throw error;
  }
}
