// The batch-norm unit, and the end of every layer with weights:
// y = saturate(round_shift(multiplier * x + addend, shift)).
//
// T_BITS hold multiplier * x + addend.
module qonnx_batch_norm #(
    parameter X_BITS = 16,
    parameter M_BITS = 16,
    parameter A_BITS = 32,
    parameter T_BITS = 34,
    parameter MOST_RIGHT = 31,
    parameter MOST_LEFT = 0,
    parameter ROUNDING = 0,
    parameter OUT_BITS = 8,
    parameter signed [33:0] LOWEST = -34'sd128,
    parameter signed [33:0] HIGHEST = 34'sd127
) (
    input signed [X_BITS-1:0] x,
    input signed [M_BITS-1:0] multiplier,
    input signed [A_BITS-1:0] addend,
    input signed [6:0] shift,
    output [OUT_BITS-1:0] y
);
    localparam PRODUCT = X_BITS + M_BITS;
    localparam SUM = (PRODUCT > A_BITS ? PRODUCT : A_BITS) + 1;
    localparam WIDE = SUM > T_BITS ? SUM : T_BITS;

    wire signed [PRODUCT-1:0] product = x * multiplier;
    wire [WIDE-1:0] sum =
        {{(WIDE - PRODUCT) {product[PRODUCT-1]}}, product} + {{(WIDE - A_BITS) {addend[A_BITS-1]}}, addend};
    qonnx_requantize #(
        .T_BITS(T_BITS), .MOST_RIGHT(MOST_RIGHT), .MOST_LEFT(MOST_LEFT), .ROUNDING(ROUNDING), .OUT_BITS(OUT_BITS),
        .LOWEST(LOWEST), .HIGHEST(HIGHEST)
    ) requantize (.t(sum[T_BITS-1:0]), .shift(shift), .y(y));
endmodule
