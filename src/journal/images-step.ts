import type { Images, Unit, UnitReference } from '../ports/unit.ts';

/** Containers run the images of a point again: performed, those that do not are made anew, and are down. */
export interface ImagesTaken {
  readonly kind: 'images-taken';
  readonly unit: UnitReference;
  /** Under which the images are kept. */
  readonly label: string;
  readonly images: Images;
  /** ISO 8601: see Unit.takeImagesBack. */
  readonly madeAfter?: string;
}

export const imagesTaken = (
  unit: UnitReference,
  label: string,
  images: Images,
  madeAfter?: Temporal.Instant,
): ImagesTaken => ({
  ...{ kind: 'images-taken', unit, label, images },
  ...(madeAfter === undefined ? {} : { madeAfter: madeAfter.toString() }),
});

export const takeImages = async (
  { unit, label, images, madeAfter }: ImagesTaken,
  open: (reference: UnitReference) => Promise<Pick<Unit, 'takeImagesBack'>>,
  signal: AbortSignal,
): Promise<void> =>
  (await open(unit)).takeImagesBack(
    label,
    images,
    signal,
    madeAfter === undefined ? undefined : Temporal.Instant.from(madeAfter),
  );
