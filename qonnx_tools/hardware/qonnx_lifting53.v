// One lifting step of the integer 5/3 wavelet.
//
// Forward: predict, UPDATE 0:  d = centre - floor((left + right) / 2)       of samples: odd, the even ones beside it
//          update,  UPDATE 1:  s = centre + floor((left + right + 2) / 4)   of an even sample, the details beside it
// INVERSE 1 takes the same away again: predict adds, update subtracts. Y_BITS, X_BITS + 2 at most, hold the result.
module qonnx_lifting53 #(
    parameter X_BITS = 10,
    parameter UPDATE = 0,
    parameter INVERSE = 0,
    parameter Y_BITS = X_BITS + 2
) (
    input signed [X_BITS-1:0] left,
    input signed [X_BITS-1:0] centre,
    input signed [X_BITS-1:0] right,
    output signed [Y_BITS-1:0] y
);
    wire [X_BITS+1:0] half = {{X_BITS{1'b0}}, UPDATE != 0, 1'b0};
    wire signed [X_BITS+1:0] sum = {{2{left[X_BITS-1]}}, left} + {{2{right[X_BITS-1]}}, right} + half;
    wire signed [X_BITS+1:0] step = UPDATE != 0 ? sum >>> 2 : sum >>> 1;
    wire [X_BITS+1:0] flipped = (UPDATE != 0) == (INVERSE != 0) ? ~step : step;
    wire [X_BITS+1:0] carry = {{(X_BITS + 1) {1'b0}}, (UPDATE != 0) == (INVERSE != 0)};
    wire [X_BITS+1:0] result = {{2{centre[X_BITS-1]}}, centre} + flipped + carry;
    assign y = result[Y_BITS-1:0];
endmodule
