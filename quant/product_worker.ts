/**
 * A worker of `product_workers.ts`: computes the products that it is told of in shared memory, then says so.
 *
 * @module
 */

import { type RowProducts, rowProducts } from "./row_products.ts";

const port = globalThis as unknown as {
  onmessage: (event: MessageEvent<RowProducts>) => void;
  postMessage: (message: "done") => void;
};

port.onmessage = ({ data }) => {
  rowProducts(data);
  port.postMessage("done");
};
