/** Kinds of sources that are accepted and not built yet; sources.ts has their schemas. */
export const PLANNED_KINDS = ['btrfs'] as const;
