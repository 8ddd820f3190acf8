/** What is made in steps, each of them about one resource. */
export type Making<Value> = Generator<undefined, Value>;
