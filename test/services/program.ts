import { inject } from 'vitest';

/** Holdfast as it ships: Node, and the bundle that was made of the present sources when the tests began (test/build.ts). */
export const PROGRAM: readonly [node: string, bundle: string] = [process.execPath, inject('program')];
