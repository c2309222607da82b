"""Two small models in the text form of ONNX: of a table, and of pictures."""

TABLE = """<ir_version: 8, opset_import: ["": 17]>
answers (float[N,F] numeric, int64[N,1] categorical) => (float[N,2] answer)
<float[1,2] w = {3, -3}, float[3,2] e = {0, 0, 3, 0, 0, 3}, int64[1] axis = {1}>
{ m = ReduceMean<axes=[1]>(numeric)  a = MatMul(m, w)  g = Gather(e, categorical)  s = Squeeze(g, axis)  b = Add(a, s)  answer = Softmax<axis=1>(b) }"""
PICTURE = """<ir_version: 8, opset_import: ["": 17]>
answers (uint8[N,1,8,8] image) => (float[N] answer)
{ a = Cast<to=1>(image)  b = Flatten(a)  answer = ReduceMean<axes=[1], keepdims=0>(b) }"""
