export interface Product {
  readonly id: number;
  readonly title: string;
  readonly author: string;
  readonly description: string;
}

/** The one book on sale. */
export const BOOK: Product = {
  id: 0,
  title: 'The Comedy of Errors',
  author: 'William Shakespeare',
  description:
    'Two sets of identical twins, parted by a shipwreck as infants, wander through the same city on the same day. ' +
    'Masters beat the wrong servants, a wife locks out the right husband, and a goldsmith wants paying for a chain he ' +
    "gave to somebody else. One of Shakespeare's earliest plays, and his shortest.",
};
