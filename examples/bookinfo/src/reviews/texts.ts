export const REVIEW_TEXTS = [
  {
    reviewer: 'Reviewer1',
    text: 'Two pairs of twins, one town, and not a soul who thinks to ask the obvious question. I laughed until the abbess had to sort it out.',
  },
  {
    reviewer: 'Reviewer2',
    text: 'Short, fast and gloriously silly. The plot rests on everybody being mistaken for somebody else, and it never once pauses for breath.',
  },
] as const;
