import type { Images, Unit, UnitReference } from '../ports/unit.ts';

/** Containers run the images of a point again: performed, those that do not are made anew, and are down. */
export interface ImagesTaken {
  readonly kind: 'images-taken';
  readonly unit: UnitReference;
  /** Under which the images are kept. */
  readonly label: string;
  readonly images: Images;
}

export const imagesTaken = (unit: UnitReference, label: string, images: Images): ImagesTaken => ({
  kind: 'images-taken',
  unit,
  label,
  images,
});

export const takeImages = async (
  { unit, label, images }: ImagesTaken,
  open: (reference: UnitReference) => Promise<Pick<Unit, 'takeImagesBack'>>,
  signal: AbortSignal,
): Promise<void> => (await open(unit)).takeImagesBack(label, images, signal);
