// Fixed-point multiply and accumulate: acc = wrap(bias + sum of x * w), one product a clock.
//
// With `first` the accumulator starts from `bias`. The sum is in `acc` one clock after the last product.
module qonnx_fixed_mac #(
    parameter X_BITS = 8,
    parameter X_SIGNED = 0,
    parameter W_BITS = 8,
    parameter ACC_BITS = 24
) (
    input clk,
    input enable,
    input first,
    input [X_BITS-1:0] x,
    input signed [W_BITS-1:0] w,
    input signed [ACC_BITS-1:0] bias,
    output reg signed [ACC_BITS-1:0] acc
);
    localparam OPERAND = X_SIGNED && X_BITS > 1 ? X_BITS : X_BITS + 1;
    localparam PRODUCT = OPERAND + W_BITS;
    localparam WIDE = PRODUCT > ACC_BITS ? PRODUCT : ACC_BITS;

    wire [X_BITS:0] extended = {X_SIGNED ? x[X_BITS-1] : 1'b0, x};
    wire signed [OPERAND-1:0] operand = extended[OPERAND-1:0];
    wire signed [PRODUCT-1:0] product = operand * w;
    wire [WIDE:0] term = {{(WIDE + 1 - PRODUCT) {product[PRODUCT-1]}}, product};

    always @(posedge clk) if (enable) acc <= (first ? bias : acc) + term[ACC_BITS-1:0];
endmodule
