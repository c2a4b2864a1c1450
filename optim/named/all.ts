/**
 * All named optimisers, one per line. Names, types, configurations, help and documents follow from these exports.
 *
 * @module
 */
export { addax } from "./exact/addax.ts";
export { blockwiseZo } from "./blockwise_zo.ts";
export { foAdam, foAdamW, foSgd } from "./exact/first_order.ts";
export { forwardGrad } from "./forward_grad.ts";
export { fzoo } from "./fzoo.ts";
export { hybridZoFo } from "./exact/hybrid_zo_fo.ts";
export { kerzoo } from "./kerzoo.ts";
export { lozo } from "./lozo.ts";
export { meazo } from "./meazo.ts";
export { mezo } from "./mezo.ts";
export { mezoGreedy } from "./mezo_greedy.ts";
export { mezoGv } from "./mezo_gv.ts";
export { qzo } from "./qzo.ts";
export { qzoNormalised } from "./qzo_normalised.ts";
export { qzoPlus } from "./qzo_plus.ts";
export { sparseMezo } from "./sparse_mezo.ts";
export { sparseZo } from "./sparse_zo.ts";
export { threePointDescent } from "./three_point_descent.ts";
export { zoAdam } from "./zo_adam.ts";
export { zoAdamW } from "./zo_adam_w.ts";
export { zoResidual } from "./zo_residual.ts";
export { zoSgd } from "./zo_sgd.ts";
export { zoSgdConservative } from "./zo_sgd_conservative.ts";
export { zoSgdMomentum } from "./zo_sgd_momentum.ts";
export { zoSgdSign } from "./zo_sgd_sign.ts";
