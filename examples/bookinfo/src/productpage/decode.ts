import { isRecord } from '../http/json.ts';

export type Rating = { readonly stars: number; readonly color: string } | { readonly error: string };

export interface Review {
  readonly reviewer: string;
  readonly text: string;
  /** `null`: this version of reviews shows no ratings. */
  readonly rating: Rating | null;
}

export interface Reviews {
  readonly podName: string;
  readonly clusterName: string;
  readonly reviews: readonly Review[];
}

/** Label and value, in the order they are shown. */
export type DetailRows = readonly (readonly [label: string, value: string])[];

const DETAIL_LABELS = {
  author: 'Author',
  year: 'Year',
  type: 'Type',
  pages: 'Pages',
  publisher: 'Publisher',
  language: 'Language',
  'ISBN-10': 'ISBN-10',
  'ISBN-13': 'ISBN-13',
};

/** The known fields of a details answer, absent ones left out; `null` when it is not an object. */
export function decodeDetails(value: unknown): DetailRows | null {
  if (!isRecord(value)) return null;
  return Object.entries(DETAIL_LABELS).flatMap(([field, label]) => {
    const text = textOf(value[field]);
    return text === '' ? [] : [[label, text] as const];
  });
}

/** A reviews answer; `null` when it holds no list of reviews. */
export function decodeReviews(value: unknown): Reviews | null {
  if (!isRecord(value) || !Array.isArray(value['reviews'])) return null;
  return {
    podName: textOf(value['podname']),
    clusterName: textOf(value['clustername']),
    reviews: value['reviews'].filter(isRecord).map((review) => ({
      reviewer: textOf(review['reviewer']),
      text: textOf(review['text']),
      rating: decodeRating(review['rating']),
    })),
  };
}

function decodeRating(value: unknown): Rating | null {
  if (!isRecord(value)) return null;
  const { stars, color, error } = value;
  if (typeof stars !== 'number') return { error: textOf(error) || 'Rating not understood' };
  return { stars: Math.round(Math.min(5, Math.max(0, stars))), color: textOf(color) };
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
