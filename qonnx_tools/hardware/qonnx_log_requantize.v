// From integers to log codes: y = sign(x) times how many of the thresholds abs(x) reaches; unsigned, 0 for x < 0.
//
// thresholds: COUNT numbers of T_BITS bits, none below the one before, the first in the lowest bits.
module qonnx_log_requantize #(
    parameter X_BITS = 32,
    parameter COUNT = 15,
    parameter T_BITS = 32,
    parameter OUT_BITS = 4,
    parameter OUT_SIGNED = 0
) (
    input signed [X_BITS-1:0] x,
    input [COUNT*T_BITS-1:0] thresholds,
    output [OUT_BITS-1:0] y
);
    localparam WIDE = (X_BITS > T_BITS ? X_BITS : T_BITS) + 1;

    wire negative = x[X_BITS-1];
    wire [WIDE-1:0] wide = {{(WIDE - X_BITS) {negative}}, x};
    wire [WIDE-1:0] size = negative ? -wide : wide;
    reg [OUT_BITS-1:0] reached;
    integer at;
    always @* begin
        reached = {OUT_BITS{1'b0}};
        for (at = 0; at < COUNT; at = at + 1)
            if (size >= {{(WIDE - T_BITS) {1'b0}}, thresholds[at*T_BITS+:T_BITS]})
                reached = reached + {{(OUT_BITS - 1) {1'b0}}, 1'b1};
    end
    assign y = !negative ? reached : OUT_SIGNED ? -reached : {OUT_BITS{1'b0}};
endmodule
