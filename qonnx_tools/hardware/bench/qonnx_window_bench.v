// Streams one layer that slides a window, or a matrix product, through its elements: a product a clock.
//
// Reads the images of an exported package and compares every output with the golden one.
// KIND: 0 fixed, 1 shift, 2 log, 3 average (every weight is 1), 4 maximum.
// verilator lint_off WIDTH
module qonnx_window_bench #(
    parameter NAME = "layer",
    parameter KIND = 0,
    parameter IMAGES = 1,
    parameter CHANNELS = 1, parameter HEIGHT = 1, parameter WIDTH = 1,
    parameter FILTERS = 1, parameter OUT_HEIGHT = 1, parameter OUT_WIDTH = 1,
    parameter GROUP = 1,
    parameter KERNEL_H = 1, parameter KERNEL_W = 1,
    parameter STRIDE_H = 1, parameter STRIDE_W = 1,
    parameter PAD_TOP = 0, parameter PAD_LEFT = 0,
    parameter DILATION_H = 1, parameter DILATION_W = 1,
    // Inputs and weights.
    parameter X_FILE = "", parameter X_BITS = 8, parameter X_SIGNED = 0, parameter X_MOST = 1,
    parameter W_FILE = "", parameter W_BITS = 8, parameter STEPS = 1, parameter GUARD_BITS = 0,
    parameter ACC_BITS = 24,
    // What is one number or one a filter: their count.
    parameter BIAS_FILE = "", parameter BIAS_BITS = 2, parameter BIAS_COUNT = 1,
    parameter MULTIPLIER_FILE = "", parameter MULTIPLIER_BITS = 2, parameter MULTIPLIER_COUNT = 1,
    parameter ADDEND_FILE = "", parameter ADDEND_BITS = 2, parameter ADDEND_COUNT = 1,
    parameter SHIFT_FILE = "", parameter SHIFT_BITS = 7, parameter SHIFT_COUNT = 1, parameter MOST_RIGHT = 0, parameter MOST_LEFT = 0,
    // The end of the layer.
    parameter T_BITS = 32, parameter ROUNDING = 0,
    parameter OUT_BITS = 8, parameter signed [33:0] LOWEST = 0, parameter signed [33:0] HIGHEST = 255,
    // An addition behind it.
    parameter ADDS = 0,
    parameter RESIDUAL_FILE = "", parameter RESIDUAL_BITS = 8, parameter RESIDUAL_SIGNED = 0,
    parameter LEFT = 0, parameter RESIDUAL_LEFT = 0, parameter signed [6:0] SUM_SHIFT = 0,
    parameter SUM_ROUNDING = 0,
    parameter signed [33:0] SUM_LOWEST = 0, parameter signed [33:0] SUM_HIGHEST = 255,
    parameter Y_FILE = "", parameter Y_BITS = 8
) (
    input clk,
    output reg done,
    output reg [31:0] errors
);
    localparam DEPTH = CHANNELS / GROUP;
    localparam SHARE = FILTERS / GROUP;
    localparam X_SIZE = IMAGES * CHANNELS * HEIGHT * WIDTH;
    localparam W_SIZE = KIND < 3 ? FILTERS * DEPTH * KERNEL_H * KERNEL_W : 1;
    localparam Y_SIZE = IMAGES * FILTERS * OUT_HEIGHT * OUT_WIDTH;
    localparam ACC = KIND < 3 && STEPS == 2 ? ACC_BITS + 1 : ACC_BITS;

    reg [X_BITS-1:0] xs[0:X_SIZE-1];
    reg signed [W_BITS-1:0] ws[0:W_SIZE-1];
    reg signed [BIAS_BITS-1:0] biases[0:BIAS_COUNT-1];
    reg signed [MULTIPLIER_BITS-1:0] multipliers[0:MULTIPLIER_COUNT-1];
    reg signed [ADDEND_BITS-1:0] addends[0:ADDEND_COUNT-1];
    reg signed [SHIFT_BITS-1:0] shifts[0:SHIFT_COUNT-1];
    reg [RESIDUAL_BITS-1:0] residuals[0:Y_SIZE-1];
    reg [Y_BITS-1:0] ys[0:Y_SIZE-1];

    // Where the window is, and the place inside it.
    integer image, filter, row, column, depth, kernel_row, kernel_column, weight, output_at, in_row, in_column;
    reg walking, first, last, enable, present, last_in, enable_out;
    reg [X_BITS-1:0] x;
    reg signed [W_BITS-1:0] w;
    reg signed [BIAS_BITS-1:0] bias;
    integer filter_in, filter_out, outputs;

    initial begin
        done = 0; errors = 0; walking = 1; enable = 0; last = 0; first = 0; present = 0; enable_out = 0;
        image = 0; filter = 0; row = 0; column = 0; depth = 0; kernel_row = 0; kernel_column = 0; weight = 0;
        output_at = 0; filter_in = 0; filter_out = 0; outputs = 0; x = 0; w = 1; bias = 0;
        ws[0] = 1; biases[0] = 0; multipliers[0] = 1; addends[0] = 0; shifts[0] = 0;
        $readmemh(X_FILE, xs);
        $readmemh(Y_FILE, ys);
        if (W_FILE != "") $readmemh(W_FILE, ws);
        if (BIAS_FILE != "") $readmemh(BIAS_FILE, biases);
        if (MULTIPLIER_FILE != "") $readmemh(MULTIPLIER_FILE, multipliers);
        if (ADDEND_FILE != "") $readmemh(ADDEND_FILE, addends);
        if (SHIFT_FILE != "") $readmemh(SHIFT_FILE, shifts);
        if (RESIDUAL_FILE != "") $readmemh(RESIDUAL_FILE, residuals);
    end

    // What the elements read: one code, one weight, and at the start of an output its bias.
    always @(posedge clk) begin
        enable <= walking;
        enable_out <= enable && last;
        filter_out <= filter_in;
        if (walking) begin
            in_row = row * STRIDE_H + kernel_row * DILATION_H - PAD_TOP;
            in_column = column * STRIDE_W + kernel_column * DILATION_W - PAD_LEFT;
            if (in_row < 0 || in_row >= HEIGHT || in_column < 0 || in_column >= WIDTH) begin
                x <= 0;
                present <= 0;
            end else begin
                x <= xs[((image * CHANNELS + (filter / SHARE) * DEPTH + depth) * HEIGHT + in_row) * WIDTH + in_column];
                present <= 1;
            end
            w <= KIND < 3 ? ws[weight] : 1;
            bias <= biases[BIAS_COUNT > 1 ? filter : 0];
            first <= depth == 0 && kernel_row == 0 && kernel_column == 0;
            last <= depth == DEPTH - 1 && kernel_row == KERNEL_H - 1 && kernel_column == KERNEL_W - 1;
            filter_in <= filter;
            weight = weight + 1;
            kernel_column = kernel_column + 1;
            if (kernel_column == KERNEL_W) begin kernel_column = 0; kernel_row = kernel_row + 1; end
            if (kernel_row == KERNEL_H) begin kernel_row = 0; depth = depth + 1; end
            if (depth == DEPTH) begin
                depth = 0;
                column = column + 1;
                if (column == OUT_WIDTH) begin column = 0; row = row + 1; end
                if (row == OUT_HEIGHT) begin row = 0; filter = filter + 1; end
                if (filter == FILTERS) begin filter = 0; image = image + 1; end
                weight = filter * DEPTH * KERNEL_H * KERNEL_W;
                if (image == IMAGES) walking <= 0;
            end
        end
    end

    // The elements.
    wire signed [ACC_BITS-1:0] start = bias;  // with its sign, or what the accumulator has of it
    wire signed [6:0] shift = shifts[SHIFT_COUNT > 1 ? filter_out : 0];
    wire signed [ACC-1:0] acc;
    wire [X_BITS-1:0] largest;
    generate
        if (KIND == 0 || KIND == 3) begin : fixed
            qonnx_fixed_mac #(
                .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS), .ACC_BITS(ACC_BITS)
            ) mac (.clk(clk), .enable(enable), .first(first), .x(x), .w(w), .bias(start), .acc(acc));
        end else if (KIND == 4) begin : maximum
            qonnx_max #(.X_BITS(X_BITS), .X_SIGNED(X_SIGNED)) max (
                .clk(clk), .enable(enable), .first(first), .present(present), .x(x), .y(largest)
            );
        end else begin : by_log_weights
            wire signed [ACC_BITS-1:0] even, odd;
            if (KIND == 1) begin : shift
                qonnx_shift_mac #(
                    .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .W_BITS(W_BITS), .STEPS(STEPS), .ACC_BITS(ACC_BITS)
                ) mac (
                    .clk(clk), .enable(enable), .first(first), .x(x), .w(w), .bias(start), .even(even), .odd(odd)
                );
            end else begin : log
                qonnx_log_mac #(
                    .X_BITS(X_BITS), .X_SIGNED(X_SIGNED), .X_MOST(X_MOST), .W_BITS(W_BITS), .STEPS(STEPS),
                    .GUARD_BITS(GUARD_BITS), .ACC_BITS(ACC_BITS)
                ) mac (
                    .clk(clk), .enable(enable), .first(first), .x(x), .w(w), .bias(start), .even(even), .odd(odd)
                );
            end
            if (STEPS == 2) begin : two
                qonnx_join #(.ACC_BITS(ACC_BITS)) join_both (.even(even), .odd(odd), .acc(acc));
            end else begin : one
                assign acc = even;
            end
        end
    endgenerate

    // The end of the layer: one output after the last product of its window.
    wire [OUT_BITS-1:0] codes;
    wire [Y_BITS-1:0] y;
    generate
        if (KIND == 4) begin : as_they_are
            assign y = largest;
        end else begin : finish
            qonnx_batch_norm #(
                .X_BITS(ACC), .M_BITS(MULTIPLIER_BITS), .A_BITS(ADDEND_BITS), .T_BITS(T_BITS),
                .MOST_RIGHT(MOST_RIGHT), .MOST_LEFT(MOST_LEFT), .ROUNDING(ROUNDING), .OUT_BITS(OUT_BITS),
                .LOWEST(LOWEST), .HIGHEST(HIGHEST)
            ) unit (
                .x(acc), .multiplier(multipliers[MULTIPLIER_COUNT > 1 ? filter_out : 0]),
                .addend(addends[ADDEND_COUNT > 1 ? filter_out : 0]), .shift(shift),
                .y(codes)
            );
            if (ADDS) begin : add
                qonnx_add #(
                    .A_BITS(OUT_BITS), .A_SIGNED(LOWEST < 0), .B_BITS(RESIDUAL_BITS), .B_SIGNED(RESIDUAL_SIGNED),
                    .LEFT_A(LEFT), .LEFT_B(RESIDUAL_LEFT), .SHIFT(SUM_SHIFT), .ROUNDING(SUM_ROUNDING),
                    .OUT_BITS(Y_BITS), .LOWEST(SUM_LOWEST), .HIGHEST(SUM_HIGHEST)
                ) sum (.a(codes), .b(residuals[output_at]), .y(y));
            end else begin : alone
                assign y = codes;
            end
        end
    endgenerate

    always @(posedge clk)
        if (enable_out && !done) begin
            if (y !== ys[output_at]) begin
                if (errors < 10) $display("%0s: output %0d is %h, not %h", NAME, output_at, y, ys[output_at]);
                errors <= errors + 1;
            end
            output_at = output_at + 1;
            if (output_at == Y_SIZE) begin
                done <= 1;
                $display("%0s: %0d of %0d outputs differ", NAME, errors + (y !== ys[Y_SIZE-1]), Y_SIZE);
            end
        end
endmodule
