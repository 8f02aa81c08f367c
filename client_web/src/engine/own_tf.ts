/** The parts of TF.js that our layers and kernels are written with: named, so that a build leaves out the rest. */

import {
  abs, add, any, backend_util, broadcastTo, cast, clone, concat, conv2d, cumsum, customGrad, depthwiseConv2d, dispose, div,
  engine, env, erf, exp, expandDims, eye, gather, getGradient, getKernel, getKernelsForBackend, keep, log, logicalOr, matMul, max, maximum,
  mean, minimum, moments, mul, neg, notEqual, ones, onesLike, pad, range, registerGradient, registerKernel, relu,
  relu6, reshape, reverse, rsqrt, serialization, sigmoid, sign, slice, softmax, softplus, split,
  sqrt, square, squeeze, stack, step, sub, sum, tanh, Tensor, tensor, tensor1d, tensor2d, tidy,
  tile, topk, transpose, unregisterKernel, unstack, zeros,
} from "@tensorflow/tfjs-core";
import { layers, LayersModel } from "@tensorflow/tfjs-layers";

export const tf = {
  abs, add, any, backend_util, broadcastTo, cast, clone, concat, conv2d, cumsum, customGrad, depthwiseConv2d, dispose, div,
  engine, env, erf, exp, expandDims, eye, gather, getGradient, getKernel, getKernelsForBackend, keep, log, logicalOr, matMul, max, maximum,
  mean, minimum, moments, mul, neg, notEqual, ones, onesLike, pad, range, registerGradient, registerKernel, relu,
  relu6, reshape, reverse, rsqrt, serialization, sigmoid, sign, slice, softmax, softplus, split,
  sqrt, square, squeeze, stack, step, sub, sum, tanh, Tensor, tensor, tensor1d, tensor2d, tidy,
  tile, topk, transpose, unregisterKernel, unstack, zeros,
  layers, LayersModel,
};
